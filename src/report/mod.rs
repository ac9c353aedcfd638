//! Rendering: what an analysis found, for people and for other programs.
//!
//! Takes a finished [`Case`](crate::model::case::Case) and flows as they end; computes nothing, opens no
//! file but those of a case folder, reads no clock. The same case gives the same bytes in every format; only the
//! manifest of a case folder holds wall-clock fields, and its caller provides them.
//!
//! A new output of the case folder is a file here and a line in [`registry`]. What standard output gets are
//! [`json::JsonObject`], [`json::JsonLines`] and [`text::Text`], all of them [`output::Output`].

pub mod case;
pub mod escape;
pub mod flow;
mod flow_columns;
pub mod html;
pub mod json;
pub mod manifest;
mod members;
mod organisations;
pub mod output;
pub mod parquet;
pub mod registry;
pub mod shown;
pub mod stix;
pub mod subject;
pub mod text;
pub mod timeline;
pub mod uuid;
pub mod words;

#[cfg(test)]
mod tests;
