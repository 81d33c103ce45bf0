//! What tokens are accepted, and what is done against the others.

#![allow(clippy::unwrap_used)]

mod attacks;
mod claims;
mod files;
mod properties;
mod remote;
mod support;
mod tls;
mod vectors;
