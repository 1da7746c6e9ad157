"""Turn a decided check into a result, text, figures and source to paste."""
