//! `run.sh` and `install.sh` made from a definition (device-side.md §5.3–5.5).
