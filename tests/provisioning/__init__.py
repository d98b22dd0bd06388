"""Tests of the bench: virtual boards, real esptool, real mpremote, a real manager."""
