"""Operations: what an operator sees and touches while the resolver runs."""
