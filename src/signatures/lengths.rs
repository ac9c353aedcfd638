//! Length patterns: how long the first payloads, or the first records inside, are, and who sent each.
//!
//! Grammar: `(tcp|udp|tls) WORD WORD ...`. A word is `>` (the client's) or `<` (the server's) with a length behind it: `148`, `32-96`,
//! `32+16k` (32, 48, 64, ...) or `??` for any; or `??` alone for any length of either side. `*3` or `*1-6` behind a word repeats it, and so it does
//! behind words in parentheses that stand by themselves: `( >19 >21 >?? )*1-7`. The pattern begins with the first length and may end before
//! the last.

use std::fmt;

use super::payload::Transport;
use crate::model::fact::Side;
use crate::model::lengths::{self, LEAST, LONGEST, MOST, MOST_PAYLOADS, Sent, WIDTH};

/// Most words of a pattern and of a group: with [`MOST`] lengths, matching takes a few thousand steps at most.
const MOST_WORDS: usize = 16;

/// Which lengths fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// From one to the other, both included.
    Range(usize, usize),
    /// The first, and every so many more.
    Steps(usize, usize),
}

impl Length {
    /// Reads `N`, `N-M` or `N+Mk`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some((least, step)) = text.strip_suffix('k').and_then(|text| text.split_once('+')) {
            let step = number(step)?;
            if step == 0 {
                return Err("steps of no length".to_owned());
            }
            return Ok(Self::Steps(number(least)?, step));
        }
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        let (least, most) = (number(least)?, number(most)?);
        if least > most {
            return Err(format!("the range {text} ends before it begins"));
        }
        Ok(Self::Range(least, most))
    }

    /// Whether a length fits.
    pub(super) fn fits(self, length: usize) -> bool {
        match self {
            Self::Range(least, most) => (least..=most).contains(&length),
            Self::Steps(least, step) => length
                .checked_sub(least)
                .is_some_and(|more| more.checked_rem(step) == Some(0)),
        }
    }

    /// The smallest that fits and is no smaller than `wanted`; beyond a range, `wanted`.
    pub(super) fn at_least(self, wanted: usize) -> usize {
        match self {
            Self::Range(least, _) => least.max(wanted),
            Self::Steps(least, step) => {
                let more = wanted.saturating_sub(least).div_ceil(step.max(1));
                least.saturating_add(more.saturating_mul(step))
            }
        }
    }

    /// The only one that fits.
    const fn fixed(self) -> Option<usize> {
        match self {
            Self::Range(least, most) if least == most => Some(least),
            Self::Range(..) | Self::Steps(..) => None,
        }
    }
}

/// A number of octets: no datagram and no port is larger.
pub(super) fn number(text: &str) -> Result<usize, String> {
    let number = text
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is no number"))?;
    if number > 65_535 {
        Err(format!("{number} is beyond 65535"))
    } else {
        Ok(number)
    }
}

/// One length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    /// Who must have sent it.
    side: Option<Side>,
    /// Which; any where nothing is said.
    length: Option<Length>,
}

impl Word {
    fn parse(text: &str) -> Result<Self, String> {
        let (side, length) = match text.split_at_checked(1) {
            Some((">", length)) => (Some(Side::Client), length),
            Some(("<", length)) => (Some(Side::Server), length),
            _ if text == "??" => (None, text),
            _ => return Err(format!("{text:?} begins with neither > nor <")),
        };
        if length == "??" {
            return Ok(Self { side, length: None });
        }
        let length = Length::parse(length)?;
        if length.at_least(0) == 0 || length.at_least(0) > usize::from(LONGEST) {
            return Err(format!("{text:?}: lengths are 1 to {LONGEST}"));
        }
        Ok(Self {
            side,
            length: Some(length),
        })
    }

    fn fits(self, (side, length): Sent) -> bool {
        self.side.is_none_or(|wanted| wanted == side)
            && self.length.is_none_or(|wanted| wanted.fits(usize::from(length)))
    }

    /// The only one that fits.
    fn fixed(self) -> Option<Sent> {
        let length = self.length.and_then(Length::fixed)?;
        Some((self.side?, u16::try_from(length).ok()?))
    }

    fn example(self) -> Sent {
        let length = self.length.map_or(1, |length| length.at_least(0));
        (
            self.side.unwrap_or(Side::Client),
            u16::try_from(length).unwrap_or(LONGEST),
        )
    }
}

/// Words one behind the other, so many times.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    words: Vec<Word>,
    least: usize,
    most: usize,
}

impl Part {
    /// From these places among the lengths (a bit for each), where it may have ended.
    fn ends(&self, starts: u32, sent: &[Sent]) -> u32 {
        let mut reached = if self.least == 0 { starts } else { 0 };
        let mut here = starts;
        for round in 1..=self.most {
            for word in &self.words {
                let fitting = sent
                    .iter()
                    .enumerate()
                    .filter(|(place, sent)| here >> place & 1 == 1 && word.fits(**sent))
                    .fold(0_u32, |fitting, (place, _)| fitting | 1 << place);
                here = fitting << 1;
            }
            if here == 0 {
                break;
            }
            if round >= self.least {
                reached |= here;
            }
        }
        reached
    }
}

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LengthPattern {
    /// What must carry the payloads; nothing where the lengths are of records inside TLS.
    pub transport: Option<Transport>,
    parts: Vec<Part>,
    text: String,
}

impl LengthPattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (carrier, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let transport = match carrier {
            "tcp" => Some(Transport::Tcp),
            "udp" => Some(Transport::Udp),
            "tls" => None,
            _ => return Err("must begin with tcp, udp or tls".to_owned()),
        };
        let mut parts: Vec<Part> = Vec::new();
        let mut group: Option<Vec<Word>> = None;
        for word in rest.split_whitespace() {
            if word == "(" {
                if group.replace(Vec::new()).is_some() {
                    return Err("( stands in parentheses".to_owned());
                }
                continue;
            }
            let (what, repeat) = word
                .split_once('*')
                .map_or((word, None), |(what, repeat)| (what, Some(repeat)));
            if what == ")" {
                let words = group.take().ok_or(") without (")?;
                parts.push(part(words, repeat)?);
                continue;
            }
            match &mut group {
                Some(_) if repeat.is_some() => {
                    return Err(format!("{word:?}: no repeats in parentheses"));
                }
                Some(words) => words.push(Word::parse(what)?),
                None => parts.push(part(vec![Word::parse(what)?], repeat)?),
            }
        }
        if group.is_some() {
            return Err("( without )".to_owned());
        }
        let pattern = Self {
            transport,
            parts,
            text: text.to_owned(),
        };
        pattern.check()?;
        Ok(pattern)
    }

    fn check(&self) -> Result<(), String> {
        let most = if self.transport.is_some() {
            MOST_PAYLOADS
        } else {
            MOST
        };
        let least = self.example().len() / WIDTH;
        if least < LEAST {
            return Err(format!(
                "fewer than {LEAST} lengths, which anything may have by chance"
            ));
        }
        let is_servers = |word: &Word| word.side == Some(Side::Server);
        if self.transport.is_none() && self.parts.iter().any(|part| part.words.iter().any(is_servers)) {
            return Err("inside TLS only the client's records are read".to_owned());
        }
        if least > most {
            return Err(format!("{least} lengths, of which no more than {most} are kept"));
        }
        if self.parts.len() > MOST_WORDS {
            return Err(format!("more than {MOST_WORDS} words"));
        }
        if self.literal().is_empty() {
            return Err("has no fixed length by which it could be found".to_owned());
        }
        Ok(())
    }

    /// The longest run of fixed lengths that must stand somewhere, as octets of facts; the earliest of equals.
    pub(super) fn literal(&self) -> Vec<u8> {
        let mut best: Vec<Sent> = Vec::new();
        let mut run: Vec<Sent> = Vec::new();
        let mut keep = |run: &mut Vec<Sent>| {
            if run.len() > best.len() {
                best.clone_from(run);
            }
            run.clear();
        };
        for part in &self.parts {
            let is_plain = part.least == 1 && part.most == 1;
            if !is_plain {
                keep(&mut run);
            }
            for word in part.words.iter().filter(|_| part.least > 0) {
                match word.fixed() {
                    Some(sent) => run.push(sent),
                    None => keep(&mut run),
                }
            }
            if !is_plain {
                keep(&mut run);
            }
        }
        keep(&mut run);
        best.into_iter().flat_map(lengths::octets).collect()
    }

    /// The smallest lengths that look so, as octets of facts.
    #[must_use]
    pub fn example(&self) -> Vec<u8> {
        let all = self.parts.iter().flat_map(|part| {
            let words = part.words.iter().map(|word| word.example());
            std::iter::repeat_n(words, part.least).flatten()
        });
        all.flat_map(lengths::octets).collect()
    }

    /// Whether the lengths, as octets of facts, begin so.
    #[must_use]
    pub fn matches(&self, octets: &[u8]) -> bool {
        let mut sent = [(Side::Client, 0); MOST];
        let mut count = 0_usize;
        for (place, one) in sent.iter_mut().zip(lengths::read(octets)) {
            *place = one;
            count = count.saturating_add(1);
        }
        let sent = sent.get(..count).unwrap_or_default();
        let ends = self.parts.iter().fold(1, |starts, part| part.ends(starts, sent));
        ends != 0
    }
}

impl fmt::Display for LengthPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn part(words: Vec<Word>, repeat: Option<&str>) -> Result<Part, String> {
    let (least, most) = match repeat {
        None => (1, 1),
        Some(repeat) => {
            let (least, most) = repeat.split_once('-').unwrap_or((repeat, repeat));
            (number(least)?, number(most)?)
        }
    };
    if least > most || most == 0 || most > MOST {
        return Err(format!(
            "the repeat {least}-{most} ends before it begins, or beyond {MOST}"
        ));
    }
    if words.is_empty() || words.len() > MOST_WORDS {
        return Err(format!("no word, or more than {MOST_WORDS}, in parentheses"));
    }
    Ok(Part { words, least, most })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::lengths::Lengths;

    /// Positive numbers are the client's.
    fn fits(pattern: &str, sent: &[i32]) -> bool {
        let mut lengths = Lengths::default();
        for length in sent {
            let side = if *length > 0 { Side::Client } else { Side::Server };
            lengths.push(side, length.unsigned_abs());
        }
        LengthPattern::parse(pattern).unwrap().matches(lengths.octets())
    }

    #[test]
    fn lengths_must_come_in_their_order_from_their_side() {
        let pattern = "udp >148 <92 >32+16k";
        for (sent, is_so) in [
            (&[148, -92, 32][..], true),
            (&[148, -92, 96, -1_400], true),
            (&[148, -92, 40], false),
            (&[148, 92, 32], false),
            (&[-92, 148, 32], false),
            (&[148, -92], false),
            (&[148, 148, -92, 32], false),
            (&[], false),
        ] {
            assert_eq!(fits(pattern, sent), is_so, "{sent:?}");
        }
    }

    #[test]
    fn wildcards_ranges_and_repeats() {
        let pattern = "tcp ??*0-2 >10-20 <?? >7";
        assert!(fits(pattern, &[15, -1, 7]));
        assert!(fits(pattern, &[-900, 15, -1, 7]));
        assert!(fits(pattern, &[-900, 15, 15, -1, 7, 99]));
        assert!(!fits(pattern, &[-900, 900, 900, 15, -1, 7]));
        assert!(!fits(pattern, &[21, -1, 7]));
        let frames = "tls >??*0-3 ( >19 >21 >?? )*1-7 >19 >21 >115";
        let first = [69, 178, 19, 21, 44, 19, 21, 55, 19, 21, 67, 19, 21, 115];
        assert!(fits(frames, &first) && fits(frames, &first[1..]) && fits(frames, &first[2..]));
        assert!(fits(frames, &[first.as_slice(), &[1_000, -1]].concat()));
        assert!(!fits(frames, &first[..13]));
        assert!(!fits(frames, &[69, 178, 19, 21, 115]), "no frame before it");
        assert!(!fits(frames, &[69, 178, 178, 178, 19, 21, 44, 19, 21, 115]));
        assert!(!fits(frames, &[69, 178, 19, 21, 44, 20, 21, 67, 19, 21, 115]));
    }

    #[test]
    fn a_pattern_is_found_by_its_longest_run_of_fixed_lengths() {
        let words = |pattern: &str| lengths::words(&LengthPattern::parse(pattern).unwrap().literal());
        assert_eq!(words("udp >148 <92 >32-64 <5"), ">148 <92");
        assert_eq!(
            words("tls >??*0-3 ( >19 >21 >?? )*1-7 >19 >21 >115"),
            ">19 >21 >115"
        );
        assert_eq!(words("tls ( >19 >21 )*1-7 >22 >9-11"), ">19 >21");
        assert_eq!(words("tls ( >19 >21 )*0-7 >22 >9-11 >?? "), ">22");
    }

    #[test]
    fn wrong_patterns_are_refused_with_the_reason() {
        for (pattern, reason) in [
            ("", "must begin with tcp, udp or tls"),
            ("sctp >1 >2 >3", "must begin with"),
            ("udp >148 <92", "fewer than 3 lengths"),
            ("udp >148*0-5", "fewer than 3 lengths"),
            ("tls >148 <92 >9", "only the client's records"),
            ("udp >1*9", "no more than 8 are kept"),
            ("tls >1*20 >2", "no more than 20 are kept"),
            ("udp >?? <?? >1-9", "no fixed length"),
            ("udp 148 <92 >32", "neither > nor <"),
            ("udp >148 <92 >", "is no number"),
            ("udp >148 <92 >0", "lengths are 1 to"),
            ("udp >148 <92 >40000", "lengths are 1 to"),
            ("udp >148 <92 >99999", "beyond 65535"),
            ("udp >148 <92 >9-3", "ends before it begins"),
            ("udp >148 <92 >9+0k", "steps of no length"),
            ("udp >148 <92 >9*3-1", "ends before it begins"),
            ("udp >148 <92 >9*0", "ends before it begins"),
            ("udp ( >148 <92 >9", "( without )"),
            ("udp >148 <92 >9 )", ") without ("),
            ("udp ( ( >148 <92 >9 ) )", "in parentheses"),
            ("udp ( >148*2 <92 >9 )", "no repeats in parentheses"),
            ("udp ( )*2 >148 <92 >9", "no word"),
        ] {
            let error = LengthPattern::parse(pattern).unwrap_err();
            assert!(error.contains(reason), "{pattern}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_an_example_fits(
            text in "(tcp|udp)( ([<>](\\?\\?|[1-9]{1,3}|[1-9]-[1-9]|9\\+2k)(\\*[0-3](-[0-9])?)?|\\(|\\)|\\)\\*[0-3]|\\?\\?)){0,8}",
            octets in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            if let Ok(pattern) = LengthPattern::parse(&text) {
                let _ = pattern.matches(&octets);
                let example = pattern.example();
                prop_assert!(pattern.matches(&example), "{}", lengths::words(&example));
                let literal = pattern.literal();
                prop_assert!(example.windows(literal.len()).any(|window| window == literal));
            }
        }
    }
}
