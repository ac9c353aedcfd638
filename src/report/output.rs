//! What an output is: something that takes flows as they end, and the finished case.

use std::io::{self, Write};

use crate::model::case::Case;

use super::flow::FlowRow;

/// One output. Streams take flows one by one and hold a bounded part of them; documents take the finished case.
pub trait Output<W>: Send {
    /// A flow ended.
    fn flow(&mut self, row: &FlowRow<'_>) -> io::Result<()> {
        let _ = row;
        Ok(())
    }

    /// The analysis ended: writes what remains and gives the writer back.
    fn finish(self: Box<Self>, case: &Case) -> io::Result<W>;
}

/// Writes a whole case at its end.
pub type Render = fn(&Case, &mut dyn Write) -> io::Result<()>;

/// An output that takes no flows.
pub struct Document<W> {
    to: W,
    render: Render,
}

impl<W> Document<W> {
    /// A document that `render` writes.
    pub fn new(to: W, render: Render) -> Self {
        Self { to, render }
    }
}

impl<W: Write + Send> Output<W> for Document<W> {
    fn finish(mut self: Box<Self>, case: &Case) -> io::Result<W> {
        (self.render)(case, &mut self.to)?;
        Ok(self.to)
    }
}
