"""Find the files of a table and open each as rows of raw values, whatever the format."""
