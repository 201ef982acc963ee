"""Records of the engines that are built in, one module for each family."""
