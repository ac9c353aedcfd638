//! Which ends of an SSH connection opened channels inside it, as the sizes of its packets show.

/// What an SSH connection was used for first (RFC 4254, 6.1 and 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirstChannel {
    /// The opener asked for a session: a shell, a command, a copy of files.
    Session,
    /// The opener asked for a connection beyond the other end, as `-L`, `-D`, `-J` and a tunnel device (`-w`) do.
    Outward,
    /// The other end brought a connection back through the opener, as `-R` lets it.
    Inward,
}

/// What the sizes of an SSH connection's packets show of its channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SshChannels {
    /// The opener asked the other end, with success, to listen for others (`tcpip-forward`; RFC 4254, 7.1).
    pub is_listening_asked: bool,
    /// The first channel.
    pub first: Option<FirstChannel>,
    /// Channels of that kind that were opened behind a silence, the first among them; those amid other traffic cannot be told from it.
    pub opened: u32,
    /// Shortest and longest request for one, in octets: requests for one place are of one length.
    pub lengths: (u32, u32),
}

impl SshChannels {
    /// Whether the requests were of several lengths, hence for several places.
    #[must_use]
    pub const fn has_several_places(&self) -> bool {
        self.lengths.0 < self.lengths.1
    }
}
