"""A reconciliation's report as a document: CSV, XLSX, a page to print. Pure: a report in, bytes out."""
