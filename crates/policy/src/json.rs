//! Reads the fields of a Kubernetes object from JSON as Go does.
//!
//! A derived serde reader takes an array for a struct, field by field, and rejects null. Kubernetes takes only an object, and
//! reads null as absent. A reader that accepts more than the API server could judge something other than what is stored.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::room::{self, Item};

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

/// A field that is a list of objects; null reads as the empty list. Items for which there is no [`room`] are skipped.
pub(super) fn objects<'de, D: Deserializer<'de>, T: Item + Default + Deserialize<'de>>(
    d: D,
) -> Result<Vec<T>, D::Error> {
    list(d, |Object(value)| value)
}

/// A field that is a list of values other than objects, such as strings. Null reads as the empty list, and items for which
/// there is no [`room`] are skipped.
pub(super) fn values<'de, D: Deserializer<'de>, T: Item + Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    list(d, |value: T| value)
}

/// From this length on a list grows by a quarter. Doubling would need three times its size for a moment.
const LONG: usize = 64;

/// The next capacity of a list that is full.
fn more(places: usize) -> usize {
    match places {
        0..LONG => (2 * places).max(4),
        _ => places + places / 4,
    }
}

fn list<'de, D, E, T>(d: D, open: fn(E) -> T) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    E: Deserialize<'de>,
    T: Item,
{
    struct Reader<E, T>(fn(E) -> T);
    impl<'de, E: Deserialize<'de>, T: Item> Visitor<'de> for Reader<E, T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            while let Some(item) = list.next_element()? {
                let item = self.0(item);
                let (places, is_full) = (read.len(), read.len() == read.capacity());
                if !room::take(&item) || (is_full && !room::grow::<T>(places, more(places))) {
                    while list.next_element::<IgnoredAny>()?.is_some() {}
                    break;
                }
                if is_full {
                    read.reserve_exact(more(places) - places);
                }
                read.push(item);
            }
            Ok(read)
        }
        fn visit_unit<F>(self) -> Result<Vec<T>, F> {
            Ok(Vec::new())
        }
    }
    d.deserialize_any(Reader(open))
}
