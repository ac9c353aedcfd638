//! What a shell's connection shows when files go through it: scp, sftp, rsync, a backup, `cat` of something long.
//!
//! Question: what does a terminal never do? Who types sends an octet or a few at a time, each a packet of some forty (RFC 4253, 6), and a
//! screen of text is some kilobytes, drawn a few times in ten seconds at most. Files fill packets, in either direction, and go on.
//! What comes back meanwhile (receipts, requests for the next piece) is small, as input is, and stands for many octets each.

use super::activity_state::Way;
use super::thresholds::{FileTransfer, THRESHOLDS};

/// What is judgement here.
fn own() -> &'static FileTransfer {
    &THRESHOLDS.file_transfer
}

/// Whether files go through a shell's connection in these ten seconds; `screen` comes from the shell's side, `input` goes there.
pub(super) fn is_one(screen: Way, input: Way, has_hand: bool) -> bool {
    let is_larger = |way: Way, size: u64| way.bytes > u64::from(way.packets).saturating_mul(size);
    let is_sent = input.bytes >= own().sent_octets && is_larger(input, own().input_octets);
    let is_fetched = screen.bytes >= own().fetched_octets && is_larger(screen, own().full_octets);
    let is_asked_by_hand =
        has_hand && screen.bytes < u64::from(input.small).saturating_mul(own().octets_for_each);
    is_sent || is_fetched && !is_asked_by_hand
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(packets: u32, small: u32, bytes: u64) -> Way {
        Way {
            bytes,
            small,
            packets,
            ..Way::default()
        }
    }

    #[test]
    fn files_go_either_way_with_receipts_that_are_no_hand() {
        let receipts = way(90, 90, 6_000);
        assert!(is_one(receipts, way(480, 80, 600_000), true), "scp to a server");
        assert!(
            is_one(way(450, 0, 600_000), way(25, 25, 1_500), true),
            "sftp from one"
        );
        assert!(is_one(way(20_000, 0, 28_000_000), way(900, 900, 50_000), false));
        assert!(is_one(way(6, 6, 216), way(25, 1, 16 << 10), false), "a slow one");
    }

    #[test]
    fn a_terminal_is_none_however_much_it_shows() {
        let typed = way(30, 30, 1_200);
        assert!(!is_one(way(40, 40, 2_000), typed, true), "echoes");
        assert!(
            !is_one(way(40, 2, 60_000), way(0, 0, 0), false),
            "a monitor that redraws"
        );
        assert!(!is_one(way(160, 2, 200_000), typed, true), "pages turned quickly");
        assert!(
            !is_one(way(900, 300, 200_000), way(1, 1, 40), false),
            "lines of a build"
        );
        assert!(
            !is_one(way(3, 3, 120), way(6, 0, 6_000), false),
            "something pasted"
        );
    }
}
