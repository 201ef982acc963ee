"""Files of models with one operation, written without the libraries that read them."""
