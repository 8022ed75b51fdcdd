//! The promises of the room, one module each.
#![allow(clippy::unwrap_used)]

mod agree;
mod attempts;
mod breaking;
mod build;
mod causes;
mod example;
mod fuzz;
mod jobs;
mod mutants;
mod one;
mod oracle;
mod pages;
mod practices;
mod readable;
mod repositories;
mod scene;
mod scripts;
mod search;
mod shells;
mod show;
mod silent;
mod table;
mod times;
mod verdicts;
