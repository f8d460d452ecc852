"""Tests of polynya seaice."""
