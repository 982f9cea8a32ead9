"""What is remembered: answers by question (`store`), their lifetimes (`lifetime`), ready reply bytes (`packets`). Pure."""
