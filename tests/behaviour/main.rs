//! How the project behaves as a whole: one binary, a module a theme.

#[path = "../../fuzz/src/lib.rs"]
pub mod fuzzing;

// The evaluation's way to write, analyse and compare.
#[allow(dead_code, reason = "the evaluation uses more of it")]
#[path = "../../examples/evaluate/analysis.rs"]
mod analysis;
#[allow(dead_code, reason = "the evaluation uses more of it")]
#[path = "../../examples/evaluate/forge.rs"]
mod forge;
#[allow(dead_code, reason = "the evaluation uses more of it")]
#[path = "../../examples/evaluate/runs.rs"]
mod runs;

// `cfg(test)` always holds here; it tells the lints that what tests share is test code, too.
#[cfg(test)]
mod agreement;
#[cfg(test)]
mod captures;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod corpora;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod distance;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod gateways;
mod hands;
#[cfg(test)]
mod hellos;
#[cfg(test)]
mod heuristics;
#[cfg(test)]
mod holders;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod laboratory;
#[cfg(test)]
mod layering;
#[cfg(test)]
mod legs;
#[cfg(test)]
mod licences;
#[cfg(test)]
mod look_alikes;
#[cfg(test)]
mod loss;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod organisations;
#[cfg(test)]
mod program;
#[cfg(test)]
mod published;
#[cfg(test)]
mod rack;
#[cfg(test)]
mod real;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod rented;
#[cfg(test)]
mod rhythm;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod source;
#[cfg(test)]
mod states;
#[cfg(test)]
mod survey;
#[cfg(test)]
mod tunnelled;
#[cfg(test)]
mod unknown;
#[cfg(test)]
mod unseen;
#[cfg(test)]
mod vocabulary;
#[cfg(test)]
mod watched;
#[cfg(test)]
mod weeks;
#[cfg(test)]
mod whose;
