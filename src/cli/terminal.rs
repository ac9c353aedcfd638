//! Making untrusted text harmless before a terminal sees it: the report's own function, for every command.

pub use crate::report::escape::escape;
