//! What a run leaves behind for people and programs. Everything is made from the journal's events.

mod files;
mod group;
mod junit;
mod lava;
mod tap;
mod yaml;

pub use files::{Files, RenderError, Rendered, render, replace};
