//! How the fields of a Kubernetes object are read from JSON: as Go reads them.
//!
//! A derived reader takes an array for a struct, field by field, and refuses null. Kubernetes takes an object and
//! nothing else, and null for absent; a door that read more than the API server does could be asked one thing and judge
//! another.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value read from a JSON object, or the default for null.
#[derive(Debug, Default)]
pub struct Object<T>(pub T);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
            fn visit_unit<E>(self) -> Result<Object<T>, E> {
                Ok(Object::default())
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// A field that is an object; null reads as the default.
pub(super) fn object<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Object::deserialize(d).map(|Object(value)| value)
}

/// A field that is an object, where it matters whether it is there.
pub(super) fn optional<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(d)?.map(|Object(value)| value))
}

/// How many items of one list are kept, so that a few megabytes of `{},{},…` do not become gigabytes. One more than
/// [`super::workload::MOST_PARTS`]: a list that is longer can be told from one that is not.
const MOST_ITEMS: usize = super::workload::MOST_PARTS + 1;

/// A field that is a list of objects; null reads as the empty list, and beyond [`MOST_ITEMS`] items are skipped.
pub(super) fn objects<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    list(d, |Object(value)| value)
}

/// A field that is a list of anything else; otherwise as [`objects`].
pub(super) fn values<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    list(d, |value: T| value)
}

fn list<'de, D: Deserializer<'de>, E: Deserialize<'de>, T>(d: D, open: fn(E) -> T) -> Result<Vec<T>, D::Error> {
    struct Reader<E, T>(fn(E) -> T);
    impl<'de, E: Deserialize<'de>, T> Visitor<'de> for Reader<E, T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            while read.len() < MOST_ITEMS {
                match list.next_element()? {
                    Some(item) => read.push(self.0(item)),
                    None => return Ok(read),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(read)
        }
        fn visit_unit<F>(self) -> Result<Vec<T>, F> {
            Ok(Vec::new())
        }
    }
    d.deserialize_any(Reader(open))
}
