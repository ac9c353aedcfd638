//! From what the user named to a list of captures: files, folders, patterns, `-`.
//!
//! The list is sorted by path and free of duplicates, so that the order of arguments never matters; a capture's index
//! is its place in it. What a file is, its content says, never its name.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::CaptureError;
use super::patient::Stop;
use super::repeated::{self, Repeated};
use super::savefile::{is_capture, is_cut_short};
use super::stream::Stream;

/// Folders within folders that are entered.
const DEEPEST_FOLDER: usize = 64;

/// One capture to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file, or a pipe that has a name.
    File(PathBuf),
}

impl Input {
    /// How records name it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Stdin => PathBuf::from("-"),
            Self::File(path) => path.clone(),
        }
    }
}

/// What the arguments stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Captures in the order of their indices.
    pub captures: Vec<Input>,
    /// Files in folders that are no captures.
    pub passed_over: u64,
    /// Files and folders in folders that should have been read and could not be.
    pub unread: Vec<Unread>,
    /// Captures that were left out, because another one has the same content.
    pub repeated: Vec<Repeated>,
}

/// Something in a folder that should have been read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// Where it is.
    pub path: PathBuf,
    /// Why it was not read.
    pub cause: String,
}

impl Inputs {
    fn note(&mut self, path: PathBuf, cause: String) {
        self.unread.push(Unread { path, cause });
    }

    /// Refuses a folder or a pattern that gave no capture beside the `before` that there were, captures and unread ones.
    fn refuse_nothing(&self, argument: &Path, before: (usize, usize)) -> Result<(), CaptureError> {
        if self.captures.len() > before.0 {
            return Ok(());
        }
        Err(match self.unread.get(before.1) {
            Some(Unread { path, cause }) => CaptureError::NothingRead {
                argument: argument.to_owned(),
                path: path.clone(),
                cause: cause.clone(),
            },
            None => CaptureError::NothingFound(argument.to_owned()),
        })
    }
}

/// What a file is.
enum Content {
    Capture,
    /// Too few bytes to tell, or none.
    CutShort,
    Other(Vec<u8>),
}

/// Makes the list of captures.
pub fn expand(arguments: &[PathBuf]) -> Result<Inputs, CaptureError> {
    let mut inputs = Inputs::default();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            inputs.captures.push(Input::Stdin);
            continue;
        }
        match fs::metadata(argument) {
            Ok(metadata) if metadata.is_dir() => {
                let before = (inputs.captures.len(), inputs.unread.len());
                walk(argument, 0, &mut inputs)?;
                inputs.refuse_nothing(argument, before)?;
            }
            // A pipe gives its bytes once: it is judged when it is read.
            Ok(metadata) if !metadata.is_file() => inputs.captures.push(Input::File(argument.clone())),
            Ok(_) => {
                if let Content::Other(start) = content(argument)? {
                    return Err(CaptureError::UnknownFormat(argument.clone(), start));
                }
                inputs.captures.push(Input::File(argument.clone()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !has_wildcard(argument.as_os_str()) {
                    return Err(CaptureError::NotFound(argument.clone()));
                }
                matching(argument, &mut inputs)?;
            }
            Err(error) => return Err(CaptureError::Open(argument.clone(), error)),
        }
    }
    inputs.captures.sort();
    let mut seen = BTreeSet::new();
    inputs.captures.retain(|input| match input {
        Input::Stdin => seen.insert(PathBuf::from("-")),
        Input::File(path) => seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())),
    });
    inputs.repeated = repeated::leave_out(&mut inputs.captures);
    if inputs.captures.len() > usize::from(u16::MAX).saturating_add(1) {
        return Err(CaptureError::TooMany(inputs.captures.len()));
    }
    Ok(inputs)
}

fn content(path: &Path) -> Result<Content, CaptureError> {
    let stream = Stream::open(&Input::File(path.to_owned()), false, false, &Stop::default())?;
    let head = stream.head();
    Ok(if is_capture(head) {
        Content::Capture
    } else if stream.is_empty() || is_cut_short(head) {
        Content::CutShort
    } else {
        Content::Other(head.get(..4).unwrap_or(head).to_vec())
    })
}

/// Adds the captures below a folder. Links to folders are not followed: they can lead in circles. What cannot be read below it
/// is noted, and the rest is read.
fn walk(folder: &Path, depth: usize, inputs: &mut Inputs) -> Result<(), CaptureError> {
    if depth > DEEPEST_FOLDER {
        inputs.note(folder.to_owned(), "deeper than folders are entered".to_owned());
        return Ok(());
    }
    let paths = match entries(folder) {
        Ok(paths) => paths,
        Err(CaptureError::Open(path, cause)) if depth > 0 => {
            inputs.note(path, cause.to_string());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for path in paths {
        let Ok(own) = fs::symlink_metadata(&path) else {
            continue;
        };
        if own.is_dir() {
            walk(&path, depth.saturating_add(1), inputs)?;
        } else if fs::metadata(&path).is_ok_and(|target| target.is_file()) {
            add_if_capture(path, inputs);
        }
    }
    Ok(())
}

/// Adds a file that was not named itself; one with too few bytes to tell counts as a capture if it is named like one.
fn add_if_capture(path: PathBuf, inputs: &mut Inputs) {
    let is_named = is_named_like_a_capture(&path);
    match content(&path) {
        Ok(Content::Capture) => inputs.captures.push(Input::File(path)),
        Ok(Content::CutShort) if is_named => inputs.captures.push(Input::File(path)),
        Ok(Content::Other(start)) if is_named => {
            inputs.note(
                path,
                format!("named like a capture, but starts with {start:02x?}"),
            );
        }
        Ok(Content::CutShort | Content::Other(_)) => {
            inputs.passed_over = inputs.passed_over.saturating_add(1);
        }
        Err(CaptureError::Open(path, cause)) => inputs.note(path, cause.to_string()),
        Err(error) => inputs.note(path, error.to_string()),
    }
}

/// Whether the name ends like a capture's, a compression's ending and the number of a ring's file aside.
fn is_named_like_a_capture(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let is_aside = |part: &&str| {
        matches!(*part, "gz" | "zst" | "lz4" | "xz") || part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut endings = name.split('.').skip(1).collect::<Vec<_>>().into_iter().rev();
    let ending = endings.find(|part| !is_aside(part));
    ending.is_some_and(|part| {
        matches!(
            part.trim_end_matches(|last: char| last.is_ascii_digit()),
            "pcap" | "pcapng" | "cap"
        )
    })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, CaptureError> {
    let refuse = |error| CaptureError::Open(folder.to_owned(), error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        paths.push(entry.map_err(refuse)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn has_wildcard(text: &OsStr) -> bool {
    text.as_encoded_bytes()
        .iter()
        .any(|octet| matches!(octet, b'*' | b'?'))
}

/// Adds a folder and all folders below it.
fn folders_below(folder: PathBuf, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), CaptureError> {
    let read = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        &folder
    };
    let mut inner = Vec::new();
    if depth < DEEPEST_FOLDER && read.is_dir() {
        for path in entries(read)? {
            let is_hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !is_hidden && fs::symlink_metadata(&path).is_ok_and(|own| own.is_dir()) {
                inner.push(path);
            }
        }
    }
    found.push(folder);
    for folder in inner {
        folders_below(folder, depth.saturating_add(1), found)?;
    }
    Ok(())
}

/// Adds what a pattern with `*` and `?` stands for, for shells that pass patterns on; `**` stands for any folders.
fn matching(pattern: &Path, inputs: &mut Inputs) -> Result<(), CaptureError> {
    let mut places = vec![PathBuf::new()];
    for component in pattern.components() {
        let mut next = Vec::new();
        for place in places {
            let Component::Normal(name) = component else {
                next.push(place.join(component));
                continue;
            };
            if !has_wildcard(name) {
                next.push(place.join(name));
                continue;
            }
            if name == "**" {
                folders_below(place, 0, &mut next)?;
                continue;
            }
            let folder = if place.as_os_str().is_empty() {
                Path::new(".")
            } else {
                &place
            };
            if !folder.is_dir() {
                continue;
            }
            let wanted = name.to_string_lossy();
            for entry in entries(folder)? {
                let Some(name) = entry.file_name() else { continue };
                if matches_wildcard(&wanted, &name.to_string_lossy()) {
                    next.push(place.join(name));
                }
            }
        }
        places = next;
    }
    let before = (inputs.captures.len(), inputs.unread.len());
    for path in places {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, 0, inputs)?,
            Ok(metadata) if metadata.is_file() => add_if_capture(path, inputs),
            _ => {}
        }
    }
    inputs.refuse_nothing(pattern, before)
}

/// Whether `name` fits `pattern`: `*` stands for any characters, `?` for one; neither for a leading dot.
fn matches_wildcard(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let mut pattern = pattern.chars();
    let mut name = name.chars();
    // Where to go on when the text behind the last star turns out to be another place's.
    let mut retry = None;
    loop {
        let (mut pattern_rest, mut name_rest) = (pattern.clone(), name.clone());
        match (pattern_rest.next(), name_rest.next()) {
            (Some('*'), _) => {
                retry = Some((pattern_rest.clone(), name.clone()));
                pattern = pattern_rest;
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                (pattern, name) = (pattern_rest, name_rest);
            }
            _ => {
                let Some((after_star, mut from)) = retry.take() else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                (pattern, name) = (after_star.clone(), from.clone());
                retry = Some((after_star, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const HEADER_ONLY: [u8; 24] = [
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    ];

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("b.pcap"), HEADER_ONLY).unwrap();
        fs::write(folder.path().join("deep/a.bin"), HEADER_ONLY).unwrap();
        fs::write(folder.path().join("empty.pcapng.gz"), []).unwrap();
        fs::write(folder.path().join("empty.txt"), []).unwrap();
        fs::write(folder.path().join("deep/cut.pcap"), [0xd4, 0xc3]).unwrap();
        fs::write(folder.path().join("newline.txt"), b"\n").unwrap();
        fs::write(folder.path().join("notes.pcap"), "no capture at all").unwrap();
        folder
    }

    fn names(inputs: &Inputs, below: &Path) -> Vec<String> {
        let relative = |input: &Input| input.path().strip_prefix(below).unwrap().display().to_string();
        inputs.captures.iter().map(relative).collect()
    }

    #[test]
    fn a_folder_gives_what_is_a_capture_by_content_whatever_its_name() {
        let folder = folder();
        let inputs = expand(&[folder.path().to_owned()]).unwrap();
        assert_eq!(
            names(&inputs, folder.path()),
            ["b.pcap", "deep/a.bin", "deep/cut.pcap", "empty.pcapng.gz"]
        );
        assert_eq!(inputs.passed_over, 2);
        let [unread] = &inputs.unread[..] else {
            panic!("{:?}", inputs.unread);
        };
        assert!(unread.path.ends_with("notes.pcap"));
        assert_eq!(
            unread.cause,
            "named like a capture, but starts with [6e, 6f, 20, 63]"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_the_others_are_read() {
        let folder = folder();
        let closed = folder.path().join("deep/a.bin");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::File::open(&closed).is_ok() {
            println!("skipped: this user reads everything");
            return;
        }
        let inputs = expand(&[folder.path().to_owned()]).unwrap();
        assert_eq!(inputs.captures.len(), 3);
        assert!(inputs.unread.iter().any(|unread| unread.path == closed));
    }

    #[test]
    fn names_end_like_those_of_captures() {
        for name in [
            "a.pcap",
            "a.PCAPNG.gz",
            "a.cap",
            "a.pcap1",
            "a.pcap.2",
            "b.pcap_x.pcap",
        ] {
            assert!(is_named_like_a_capture(Path::new(name)), "{name}");
        }
        for name in ["pcap", "a.pcap.sha256", "a.txt", "a.gz", "a.pcapx"] {
            assert!(!is_named_like_a_capture(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn the_order_and_the_spelling_of_arguments_change_nothing() {
        let folder = folder();
        let whole = folder.path().to_owned();
        let twice = folder.path().join("deep/../b.pcap");
        let one = expand(&[whole.clone(), twice.clone()]).unwrap();
        let other = expand(&[twice, folder.path().join("b.pcap"), whole]).unwrap();
        assert_eq!(one.captures, other.captures);
        assert_eq!(one.captures.len(), 4);
    }

    #[test]
    fn a_pattern_finds_files_in_matching_folders() {
        let folder = folder();
        let inputs = expand(&[folder.path().join("d*p/?.b*")]).unwrap();
        assert_eq!(names(&inputs, folder.path()), ["deep/a.bin"]);
        let nothing = expand(&[folder.path().join("x*.pcap")]).unwrap_err();
        assert!(
            nothing.to_string().ends_with("x*.pcap: no capture found"),
            "{nothing}"
        );
    }

    #[test]
    fn what_was_named_and_is_missing_or_foreign_is_named_in_the_error() {
        let folder = folder();
        let missing = expand(&[folder.path().join("none.pcap")]).unwrap_err();
        assert!(
            missing.to_string().ends_with("none.pcap: no such file or folder"),
            "{missing}"
        );
        let foreign = expand(&[folder.path().join("notes.pcap")]).unwrap_err();
        assert!(
            foreign
                .to_string()
                .ends_with("notes.pcap: not a capture (starts with [6e, 6f, 20, 63])"),
            "{foreign}"
        );
    }

    #[test]
    fn wildcards_match_like_a_shell() {
        for (pattern, name, wanted) in [
            ("*", "a", true),
            ("*", ".a", false),
            (".*", ".a", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "", false),
            ("a?", "ab", true),
            ("*a", "aaab", false),
        ] {
            assert_eq!(matches_wildcard(pattern, name), wanted, "{pattern} {name}");
        }
    }
}
