"""What is remembered: answers by question (`store`), lifetimes (`lifetime`), ready reply bytes (`packets`). Pure."""
