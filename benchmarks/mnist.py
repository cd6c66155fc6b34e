"""The paper's MNIST protocol (section 3 of shared facts: table of ranks), ours beside theirs."""
