"""What goes back and forth with an analyst about raw data: templates, the check's page, rejected rows to mend."""
