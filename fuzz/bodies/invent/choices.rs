//! Makes decisions from bytes.

/// Takes one decision after the other from bytes. When they run out, every further decision is the first of its kind,
/// which is the ordinary one: an empty input invents an ordinary review.
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Decisions as these bytes say.
    pub fn of(bytes: &'a [u8]) -> Choices<'a> {
        Choices(bytes)
    }

    fn byte(&mut self) -> usize {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                usize::from(*first)
            }
            None => 0,
        }
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        let wide = if end > 256 { self.byte() << 8 } else { 0 };
        (wide | self.byte()) % end
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Yes once in sixteen times.
    pub fn rarely(&mut self) -> bool {
        self.below(16) == 1
    }

    /// Yes every other time.
    pub fn perhaps(&mut self) -> bool {
        self.below(2) == 1
    }

    /// At most so many of the bytes themselves.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let count = self.below(most + 1).min(self.0.len());
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
}
