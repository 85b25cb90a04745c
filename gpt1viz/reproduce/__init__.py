"""The paper in small: its table 5 and figure 2 at the size of the bundled checkpoint (`gpt1viz reproduce`)."""
