//! Packets of the standards' examples, for the tests of this folder.

/// Octets written as hexadecimal digits.
pub(crate) fn octets(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// RFC 9001, A.3.
pub(crate) fn server_initial_v1() -> Vec<u8> {
    octets(concat!(
        "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a",
        "5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3",
        "dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84",
        "022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4",
        "2158407dd074ee"
    ))
}

/// RFC 9369, A.3.
pub(crate) fn server_initial_v2() -> Vec<u8> {
    octets(concat!(
        "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698",
        "baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17",
        "f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2",
        "c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8",
        "4bed8521e2e140"
    ))
}
