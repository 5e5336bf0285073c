"""Allure: steps and attachments of tests, and the report that Allure 3 renders."""
