//! The command line as the user types it. Resolved settings are another type ([`crate::settings`]).

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Find laptop farms in network traffic: remote access, VPN egress, contradictions of place and time.
#[derive(Debug, Parser)]
#[command(
    name = "farmhawk",
    version,
    about,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print results only, no progress and no remarks; what is lost is told all the same
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Log what happens on standard error (-v, -vv, -vvv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// When to use colours (NO_COLOR is honoured)
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read saved captures; print findings, hosts and farms
    Analyze(Box<Analyze>),
    /// The same analysis, live, on a SPAN or TAP interface, until Ctrl-C
    Sensor(Box<Sensor>),
    /// The signature catalogue
    Signatures {
        /// What to do with it.
        #[command(subcommand)]
        action: Signatures,
    },
    /// The databases of places
    Geoip {
        /// What to do with them.
        #[command(subcommand)]
        action: Geoip,
    },
    /// Write a labelled synthetic capture of a named scenario, with its inventory and its truth
    Lab(Lab),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page, or that of a command: `farmhawk man analyze` prints farmhawk-analyze(1)
    Man {
        /// The command; none for the program itself
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

/// `farmhawk analyze`.
#[derive(Debug, Args)]
pub struct Analyze {
    /// Captures: files, folders, globs, or - for standard input
    #[arg(value_name = "CAPTURE", required = true)]
    pub captures: Vec<PathBuf>,

    /// Only packets from this time on (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<jiff::Timestamp>,

    /// Only packets up to this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<jiff::Timestamp>,

    /// When to compute SHA-256 digests of the captures: always, never, or auto (with a case folder, and for captures
    /// below 64 MiB; a digest costs more than the analysis of a large capture)
    #[arg(long, value_enum, default_value_t = Digest::Auto)]
    pub digest: Digest,

    /// Options that both analyses share.
    #[command(flatten)]
    pub common: Common,
}

/// When to compute digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Digest {
    /// With a case folder, and for small captures.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `farmhawk sensor`.
#[derive(Debug, Args)]
pub struct Sensor {
    /// The interface to capture on
    #[arg(short, long, value_name = "IFACE")]
    pub interface: String,

    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<u64>,

    /// Options that both analyses share.
    #[command(flatten)]
    pub common: Common,
}

/// What `analyze` and `sensor` share.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
#[derive(Debug, Args)]
pub struct Common {
    /// Write a case folder
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Overwrite a case that is already there
    #[arg(long, requires = "out")]
    pub force: bool,

    /// What standard output gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// A capture filter in libpcap's language
    #[arg(short, long, value_name = "BPF")]
    pub filter: Option<String>,

    /// Addresses that are ours, networks or single ones (repeatable); private, ULA and link-local ranges when not given
    #[arg(short = 'n', long, value_name = "CIDR", value_parser = network)]
    pub local: Vec<ipnet::IpNet>,

    /// The inventory, CSV or JSON
    #[arg(short, long, value_name = "FILE")]
    pub assets: Option<PathBuf>,

    /// Refuse an inventory that has a bad row
    #[arg(long, requires = "assets")]
    pub strict: bool,

    /// The policy, TOML: sanctioned tools and egress, watched countries, thresholds
    #[arg(short, long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Further signature files or folders (repeatable)
    #[arg(short, long, value_name = "PATH")]
    pub signatures: Vec<PathBuf>,

    /// An .mmdb file or a folder of them (repeatable)
    #[arg(long, value_name = "PATH", env = "FARMHAWK_GEOIP", value_parser = path())]
    pub geoip: Vec<PathBuf>,

    /// Worker threads, 1 to 1024; all cores by default
    #[arg(short = 'j', long, value_name = "N", value_parser = threads)]
    pub threads: Option<std::num::NonZeroUsize>,

    /// Exit with 3 when a farm or host of this verdict or worse stands
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub fail_on: Option<Level>,

    /// Where the capture was taken
    #[arg(long, value_enum, default_value_t = Vantage::Auto)]
    pub vantage: Vantage,

    /// Where the capture point stands, for the bounds that latency sets on distance
    #[arg(long, value_name = "LAT,LON", value_parser = coordinates, allow_hyphen_values = true)]
    pub at: Option<(f64, f64)>,

    /// Print flow records too (json, jsonl)
    #[arg(long)]
    pub flows: bool,

    /// Print findings, hosts and farms below review or low too
    #[arg(long)]
    pub all: bool,

    /// Print everything that is known of one group, host or finding instead of the report: its identifier, or a host's
    /// address or name
    #[arg(long, value_name = "ID", conflicts_with = "flows")]
    pub explain: Option<String>,

    /// Say in the summary how long it took; two runs then differ (a case folder's manifest always says it)
    #[arg(long)]
    pub stamp: bool,

    /// Flows that are held at once; beyond it the oldest are ended early and counted
    #[arg(long, value_name = "N")]
    pub max_flows: Option<std::num::NonZeroUsize>,
}

/// What standard output gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Sentences for people.
    Text,
    /// One object.
    Json,
    /// One record a line.
    Jsonl,
}

/// In what form the catalogue is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A line a tool.
    Text,
    /// One object: the size of the catalogue, and of every entry its sources.
    Json,
    /// One record a line.
    Jsonl,
    /// A table of classes and their tools, as the README has it.
    Markdown,
}

/// In what form places are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlaceFormat {
    /// Lines for people.
    Text,
    /// One object.
    Json,
}

/// A verdict on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Worth a line.
    Note,
    /// A person should look.
    Review,
    /// Probably so.
    Likely,
    /// Hardly anything else explains it.
    Strong,
}

/// Where the capture was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Vantage {
    /// Inside a house, or on its line.
    Home,
    /// At an employer.
    Employer,
    /// To be judged from the traffic.
    Auto,
}

/// `farmhawk lab`.
#[derive(Debug, Args)]
pub struct Lab {
    /// The scenario
    #[arg(value_name = "SCENARIO", required_unless_present = "list")]
    pub scenario: Option<String>,

    /// The capture to write, or - for standard output; beside FILE.pcapng stand FILE.inventory.csv, FILE.truth.toml and,
    /// where the scenario has them, FILE.policy.toml and FILE.geoip.mmdb
    #[arg(short, long, value_name = "FILE", required_unless_present = "list")]
    pub out: Option<PathBuf>,

    /// Replace files that stand there already
    #[arg(long, requires = "out")]
    pub force: bool,

    /// Seed: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// List the scenarios
    #[arg(long)]
    pub list: bool,
}

/// `farmhawk signatures`.
#[derive(Debug, Subcommand)]
pub enum Signatures {
    /// List every tool that is known
    List {
        /// Further signature files or folders
        #[arg(short, long, value_name = "PATH")]
        signatures: Vec<PathBuf>,
        /// What standard output gets
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
        /// The same as --format jsonl
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
    /// Show one entry with its sources
    Show {
        /// The tool's identifier
        id: String,
        /// Further signature files or folders
        #[arg(short, long, value_name = "PATH")]
        signatures: Vec<PathBuf>,
    },
    /// Check a signature file of one's own
    Check {
        /// The file or folder
        file: PathBuf,
    },
}

/// `farmhawk geoip`.
#[derive(Debug, Subcommand)]
pub enum Geoip {
    /// Which databases are in use, with their dates and attributions
    Status {
        /// An .mmdb file or a folder of them
        #[arg(long, value_name = "PATH", env = "FARMHAWK_GEOIP", value_parser = path())]
        geoip: Vec<PathBuf>,
        /// What standard output gets
        #[arg(long, value_enum, default_value_t = PlaceFormat::Text)]
        format: PlaceFormat,
    },
    /// What they say of an address
    Lookup {
        /// The address
        ip: std::net::IpAddr,
        /// An .mmdb file or a folder of them
        #[arg(long, value_name = "PATH", env = "FARMHAWK_GEOIP", value_parser = path())]
        geoip: Vec<PathBuf>,
        /// What standard output gets
        #[arg(long, value_enum, default_value_t = PlaceFormat::Text)]
        format: PlaceFormat,
    },
    /// Build the default database from address-to-country and AS tables (see geoip/README.md)
    Build {
        /// Tables of address ranges and countries, CSV
        #[arg(long, required = true, value_name = "CSV")]
        country: Vec<PathBuf>,
        /// Tables of address ranges, AS numbers and organisations, CSV
        #[arg(long, required = true, value_name = "CSV")]
        asn: Vec<PathBuf>,
        /// Date of the tables, YYYY-MM-DD
        #[arg(long, value_name = "DATE")]
        date: String,
        /// What the tables are: packages with their versions
        #[arg(long, value_name = "TEXT", default_value = "address tables")]
        description: String,
        /// The database to write; compressed where its name ends in .xz
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
}

fn time(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse::<jiff::Timestamp>()
        .map_err(|_| "not a time in RFC 3339, like 2026-11-21T09:00:00Z".to_owned())
}

/// A network, or one address as the network of itself.
/// Threads that a system surely starts; more than there are cores gains nothing.
const MOST_THREADS: usize = 1_024;

fn threads(text: &str) -> Result<std::num::NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|many: &std::num::NonZeroUsize| many.get() <= MOST_THREADS)
        .ok_or_else(|| format!("not a number of threads from 1 to {MOST_THREADS}"))
}

fn network(text: &str) -> Result<ipnet::IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    text.parse::<ipnet::IpNet>()
        .or_else(|_| address())
        .map_err(|_| "not a network or an address, like 192.0.2.0/24 or 2001:db8::7".to_owned())
}

fn coordinates(text: &str) -> Result<(f64, f64), String> {
    let wrong = || "not LAT,LON in degrees, like 33.45,-112.07".to_owned();
    let (latitude, longitude) = text.split_once(',').ok_or_else(wrong)?;
    let latitude: f64 = latitude.trim().parse().map_err(|_| wrong())?;
    let longitude: f64 = longitude.trim().parse().map_err(|_| wrong())?;
    if (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) {
        Ok((latitude, longitude))
    } else {
        Err(wrong())
    }
}

/// Takes an empty path, too: a variable of the environment that is set to nothing is one.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_single_address_is_the_network_of_itself() {
        for (text, read) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::7", "2001:db8::7/128"),
            ("192.0.2.0/24", "192.0.2.0/24"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), read);
        }
        assert!(network("192.0.2").is_err());
    }

    #[test]
    fn coordinates_are_degrees_within_their_ranges() {
        assert_eq!(coordinates("33.45,-112.07"), Ok((33.45, -112.07)));
        for wrong in ["", "1", "91,0", "0,181", "a,b", "nan,0"] {
            assert!(coordinates(wrong).is_err(), "{wrong}");
        }
    }
}
