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

/// Bytes that are written at once: few enough to lie in the processor's cache when they are.
pub(super) const AT_ONCE: usize = 64 << 10;

/// Bytes on their way to a writer: records are appended where they wait, instead of being copied there. What waits is written when this is
/// dropped, as a run leaves behind what it wrote before an error.
pub(super) struct Waiting<W: Write> {
    /// `None` once it was given back.
    to: Option<W>,
    /// What waits; whoever appends to it calls [`Waiting::pass`] behind each record.
    pub(super) bytes: Vec<u8>,
}

impl<W: Write> Waiting<W> {
    pub(super) const fn new(to: W) -> Self {
        Self {
            to: Some(to),
            bytes: Vec::new(),
        }
    }

    /// Writes what waits if it has become much.
    pub(super) fn pass(&mut self) -> io::Result<()> {
        if self.bytes.len() < AT_ONCE {
            return Ok(());
        }
        self.write_out()
    }

    fn write_out(&mut self) -> io::Result<()> {
        let written = self.to.as_mut().map_or(Ok(()), |to| to.write_all(&self.bytes));
        self.bytes.clear();
        written
    }

    /// Writes what waits and gives the writer back.
    pub(super) fn into_inner(mut self) -> io::Result<W> {
        self.write_out()?;
        // Taken nowhere else.
        self.to.take().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl<W: Write> Drop for Waiting<W> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            // Nobody is left who could be told.
            let _ = self.write_out();
        }
    }
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
