//! Records as compact JSON, straight into a buffer.
//!
//! Question: why not serde_json's serializer, whose bytes these are? It hands every quote, comma and piece of text to a formatter that may
//! fail, looks at the names of members as if they came from outside, and at texts octet by octet: findings and hosts were a twentieth of
//! the time of many short flows. Here a name is one copy, a text is looked at eight octets at a time ([`members::text`]), and nothing can
//! fail but what a record itself refuses.

use std::fmt::Display;
use std::io::Write as _;

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;
use serde_json::ser::{CompactFormatter, Formatter as _};

use super::members;

/// Appends a value.
pub(super) fn append<T: Serialize + ?Sized>(to: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    value.serialize(Json { to })
}

/// Where a value goes.
struct Json<'a> {
    to: &'a mut Vec<u8>,
}

/// A list or an object that is being written: each element and member begins with a comma, and the first comma becomes the bracket
/// that opens it.
struct Several<'a> {
    to: &'a mut Vec<u8>,
    start: usize,
    open: u8,
    close: &'static [u8],
}

impl<'a> Json<'a> {
    fn several(self, open: u8, close: &'static [u8]) -> Several<'a> {
        let start = self.to.len();
        Several {
            to: self.to,
            start,
            open,
            close,
        }
    }

    /// An object of one member whose value `close` ends.
    fn variant(self, name: &str, open: u8, close: &'static [u8]) -> Several<'a> {
        self.to.push(b'{');
        members::text(self.to, name);
        self.to.push(b':');
        self.several(open, close)
    }

    fn signed(self, number: i64) {
        if number < 0 {
            self.to.push(b'-');
        }
        members::number(self.to, number.unsigned_abs());
    }
}

impl Several<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.to.push(b',');
        append(self.to, value)
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        // Names of members are the program's own, and need no escapes.
        self.to.extend_from_slice(b",\"");
        self.to.extend_from_slice(name.as_bytes());
        self.to.extend_from_slice(b"\":");
        append(self.to, value)
    }

    /// The name of a member of a map: what is no text is put between quotes.
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.to.push(b',');
        let start = self.to.len();
        append(self.to, key)?;
        match self.to.get(start) {
            Some(b'"') => Ok(()),
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.to.insert(start, b'"');
                self.to.push(b'"');
                Ok(())
            }
            _ => Err(Error::custom("key must be a string")),
        }
    }

    fn close(self) {
        match self.to.get_mut(self.start) {
            Some(comma) => *comma = self.open,
            None => self.to.push(self.open),
        }
        self.to.extend_from_slice(self.close);
    }
}

impl<'a> Serializer for Json<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Several<'a>;
    type SerializeTuple = Several<'a>;
    type SerializeTupleStruct = Several<'a>;
    type SerializeTupleVariant = Several<'a>;
    type SerializeMap = Several<'a>;
    type SerializeStruct = Several<'a>;
    type SerializeStructVariant = Several<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.to
            .extend_from_slice(if value { b"true".as_slice() } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.signed(value.into());
        Ok(())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.signed(value.into());
        Ok(())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.signed(value.into());
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.signed(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        members::number(self.to, value);
        Ok(())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        members::number(self.to, value);
        Ok(())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        members::number(self.to, value);
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        members::number(self.to, value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        if value.is_finite() {
            return CompactFormatter.write_f32(self.to, value).map_err(Error::io);
        }
        self.serialize_unit()
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        members::real(self.to, value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        members::text(self.to, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        members::text(self.to, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        members::list(self.to, value.iter(), |to, octet| members::number(to, *octet));
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.to.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        members::text(self.to, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = self.several(b'{', b"}");
        object.member(variant, value)?;
        object.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Several<'a>, Error> {
        Ok(self.several(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Several<'a>, Error> {
        Ok(self.several(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Several<'a>, Error> {
        Ok(self.several(b'[', b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Several<'a>, Error> {
        Ok(self.variant(variant, b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Several<'a>, Error> {
        Ok(self.several(b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Several<'a>, Error> {
        Ok(self.several(b'{', b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Several<'a>, Error> {
        Ok(self.variant(variant, b'{', b"}}"))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        let start = self.to.len();
        write!(self.to, "{value}").map_err(Error::io)?;
        members::quoted_from(self.to, start);
        Ok(())
    }
}

impl SerializeSeq for Several<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Several<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleStruct for Several<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleVariant for Several<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Several<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.to.push(b':');
        append(self.to, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Several<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStructVariant for Several<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Nothing {}

    #[derive(Serialize)]
    struct Pair(u8, &'static str);

    #[derive(Serialize)]
    enum Kind {
        Unit,
        One(i16),
        Two(i64, bool),
        Named { a: Option<u8>, b: char },
    }

    #[derive(Serialize)]
    struct Whole<'a> {
        nothing: Nothing,
        empty: [u8; 0],
        pair: Pair,
        kinds: Vec<Kind>,
        by_number: BTreeMap<i32, f64>,
        by_text: BTreeMap<&'a str, f32>,
        by_truth: BTreeMap<bool, u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        left_out: Option<u8>,
        large: u64,
        small: i64,
        none: Option<u8>,
        texts: (&'a str, String),
        shown: std::net::IpAddr,
    }

    fn whole() -> Whole<'static> {
        Whole {
            nothing: Nothing {},
            empty: [],
            pair: Pair(255, "quote \" backslash \\ tab \t line \n \u{8} \u{c} \r \u{1f}"),
            kinds: vec![
                Kind::Unit,
                Kind::One(-7),
                Kind::Two(i64::MIN, true),
                Kind::Named { a: None, b: 'ü' },
            ],
            by_number: BTreeMap::from([(-1, 0.1), (0, 1e300), (i32::MAX, f64::NAN)]),
            by_text: BTreeMap::from([("a \"b\"", 0.1), ("", f32::INFINITY)]),
            by_truth: BTreeMap::from([(false, 0), (true, 1)]),
            left_out: None,
            large: u64::MAX,
            small: -9_876_543_210,
            none: None,
            texts: ("ä € 𝄞", "plain enough to be copied".to_owned()),
            shown: [2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
        }
    }

    #[test]
    fn what_needs_no_escapes_of_ours_is_what_serde_json_writes() {
        let mut ours = Vec::new();
        append(&mut ours, &whole()).unwrap();
        let theirs = serde_json::to_vec(&whole()).unwrap();
        assert_eq!(
            String::from_utf8(ours).unwrap(),
            String::from_utf8(theirs).unwrap()
        );
    }

    #[test]
    fn a_key_that_is_no_text_is_refused() {
        let map = BTreeMap::from([(vec![1u8], 1)]);
        assert!(append(&mut Vec::new(), &map).is_err());
        assert!(serde_json::to_vec(&map).is_err());
    }

    #[test]
    fn what_a_value_displays_is_escaped() {
        struct Shown;
        impl Serialize for Shown {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&format_args!("a {}\u{202e}", "\""))
            }
        }
        let mut ours = Vec::new();
        append(&mut ours, &[Shown]).unwrap();
        assert_eq!(ours, br#"["a \"\u202e"]"#);
    }
}
