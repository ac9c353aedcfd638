//! Plain columns, at most a hundred characters wide: a label on the left, wrapped text on the right.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::model::finding::Confidence;
use crate::model::host::Verdict;
use crate::report::words;

/// Widest line.
pub(super) const WIDTH: usize = 100;
/// Where the text of a labelled row begins.
const TEXT: usize = 18;

/// Colours. Whoever knows whether a terminal listens decides between the two constructors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Styles {
    /// Headings of groups, hosts and tables.
    pub heading: Style,
    /// Labels of rows.
    pub label: Style,
    /// What needs a look now.
    pub alarm: Style,
    /// What needs a look.
    pub caution: Style,
}

impl Styles {
    /// No colours.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// Colours for a terminal, of its own palette.
    #[must_use]
    pub fn colored() -> Self {
        Self {
            heading: Style::new().bold(),
            label: Style::new().dimmed(),
            alarm: AnsiColor::Red.on_default().bold(),
            caution: AnsiColor::Yellow.on_default().bold(),
        }
    }

    /// The style of a verdict.
    #[must_use]
    pub const fn verdict(&self, verdict: Verdict) -> Style {
        match verdict {
            Verdict::Likely | Verdict::Strong => self.alarm,
            Verdict::Review => self.caution,
            Verdict::None | Verdict::Note => self.heading,
        }
    }

    /// The style of a confidence.
    #[must_use]
    pub const fn confidence(&self, confidence: Confidence) -> Style {
        match confidence {
            Confidence::High => self.alarm,
            Confidence::Medium => self.caution,
            Confidence::Low => self.heading,
        }
    }
}

/// How much is told of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Depth {
    /// Most reasons, hosts or remarks of one kind that are named.
    pub(super) most: usize,
    /// Most items of evidence, and intervals, of a finding.
    pub(super) top: usize,
    /// Most frames of an item of evidence.
    pub(super) frames: usize,
    /// Whether what weighs nothing, or belongs to a group that is told above, is told as well.
    pub(super) is_whole: bool,
}

impl Depth {
    /// What a tired analyst reads; the records hold all.
    pub(super) const REPORT: Self = Self {
        most: 12,
        top: 3,
        frames: words::FRAMES,
        is_whole: false,
    };
    /// Everything that a record holds.
    pub(super) const LEDGER: Self = Self {
        most: usize::MAX,
        top: usize::MAX,
        frames: usize::MAX,
        is_whole: true,
    };
}

/// Lines on their way out.
pub(super) struct Page<'a> {
    to: &'a mut dyn Write,
    pub(super) depth: Depth,
    pub(super) styles: &'a Styles,
    indent: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(to: &'a mut dyn Write, styles: &'a Styles, depth: Depth) -> Self {
        Self {
            to,
            depth,
            styles,
            indent: 2,
        }
    }

    /// How far rows are indented from here on.
    pub(super) fn indent(&mut self, indent: usize) {
        self.indent = indent;
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.to)
    }

    /// A heading: a styled word or two, then text that wraps behind them.
    pub(super) fn heading(&mut self, at: usize, style: Style, head: &str, text: &str) -> io::Result<()> {
        let hang = at.saturating_add(2);
        let taken = at.saturating_add(head.chars().count()).saturating_add(2);
        let mut lines = wrap(text, WIDTH.saturating_sub(taken), WIDTH.saturating_sub(hang)).into_iter();
        let first = lines.next().unwrap_or_default();
        let gap = if first.is_empty() { "" } else { "  " };
        writeln!(self.to, "{:at$}{style}{head}{style:#}{gap}{first}", "")?;
        lines.try_for_each(|line| writeln!(self.to, "{:hang$}{line}", ""))
    }

    /// Wrapped text at the rows' indent.
    pub(super) fn paragraph(&mut self, text: &str) -> io::Result<()> {
        let indent = self.indent;
        let room = WIDTH.saturating_sub(indent);
        (wrap(text, room, room).iter()).try_for_each(|line| writeln!(self.to, "{:indent$}{line}", ""))
    }

    /// Rows under one label, which stands before the first; nothing at all when there are none.
    pub(super) fn rows<T: AsRef<str>>(
        &mut self,
        label: &str,
        texts: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        let items = texts.into_iter().map(|text| (String::new(), text));
        self.items(label, items)
    }

    /// Rows whose text begins with a figure or two of its own column.
    pub(super) fn items<T: AsRef<str>>(
        &mut self,
        label: &str,
        items: impl IntoIterator<Item = (String, T)>,
    ) -> io::Result<()> {
        let mut label = label;
        let indent = self.indent;
        let width = TEXT.saturating_sub(2);
        for (figures, text) in items {
            let hang = indent
                .saturating_add(width)
                .saturating_add(figures.chars().count());
            let room = WIDTH.saturating_sub(hang);
            let mut lines = wrap(text.as_ref(), room, room).into_iter();
            let first = lines.next().unwrap_or_default();
            let style = self.styles.label;
            // The padding stands outside the style, so that no escape sequence counts as width.
            let pad = width.saturating_sub(label.chars().count());
            if label.is_empty() {
                writeln!(self.to, "{:indent$}{:pad$}{figures}{first}", "", "")?;
            } else {
                writeln!(
                    self.to,
                    "{:indent$}{style}{label}{style:#}{:pad$}{figures}{first}",
                    "", ""
                )?;
            }
            for line in lines {
                writeln!(self.to, "{:hang$}{line}", "")?;
            }
            label = "";
        }
        Ok(())
    }
}

/// Breaks a text at spaces into lines of at most `first`, then `room` characters; a word that is longer is broken.
pub(super) fn wrap(text: &str, first: usize, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0_usize;
    let mut limit = first.max(1);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        let gap = usize::from(used > 0);
        if used.saturating_add(gap).saturating_add(length) <= limit {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            used = used.saturating_add(gap).saturating_add(length);
            continue;
        }
        if used > 0 {
            lines.push(std::mem::take(&mut line));
            limit = room.max(1);
            used = 0;
        }
        for character in word.chars() {
            if used == limit {
                lines.push(std::mem::take(&mut line));
                limit = room.max(1);
                used = 0;
            }
            line.push(character);
            used = used.saturating_add(1);
        }
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_its_room_and_no_word_is_lost() {
        assert_eq!(wrap("a bc def", 4, 4), ["a bc", "def"]);
        assert_eq!(wrap("abcdefgh i", 3, 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 3, 3), [""; 0]);
        assert_eq!(wrap("one two", 3, 10), ["one", "two"]);
    }
}
