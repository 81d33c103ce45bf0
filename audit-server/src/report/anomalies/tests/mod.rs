//! Whether what a person would call unusual is found, and nothing else.

mod incidents;
mod kept;
mod quality;
mod rules;
mod world;
