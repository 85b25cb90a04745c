"""What gpt1viz costs, against peers measured in the same run. See README.md here."""
