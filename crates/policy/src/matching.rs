//! Lists the names by which an object may match personas, in the order in which they are tried.

/// Which names match a Deployment to its personas (flag `--match`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// Label `app.kubernetes.io/name` of the object (contract 2.3).
    #[default]
    Label,
    /// The first that finds one: that label, label `app`, `metadata.name`, either label in `spec.selector.matchLabels`
    /// (contract 9).
    Chain,
}

impl Matching {
    /// The word used in the flag.
    pub fn as_str(self) -> &'static str {
        match self {
            Matching::Label => "label",
            Matching::Chain => "chain",
        }
    }
}

/// How directly a name identifies an app, strongest first (contract 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchStrength {
    /// Label `app.kubernetes.io/name`.
    Label,
    /// Label `app`.
    App,
    /// `metadata.name`.
    Name,
    /// Either label in `spec.selector.matchLabels`.
    Selector,
}

/// The names by which an object may be matched to personas; empty where it has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// Label `app.kubernetes.io/name`.
    pub label: &'a str,
    /// Label `app`.
    pub app: &'a str,
    /// `metadata.name`.
    pub name: &'a str,
    /// Label `app.kubernetes.io/name` in `spec.selector.matchLabels`.
    pub selected_label: &'a str,
    /// Label `app` in `spec.selector.matchLabels`.
    pub selected_app: &'a str,
}

impl<'a> Names<'a> {
    /// The names that count, strongest first. One name may occur twice.
    pub fn in_order(self, matching: Matching) -> impl Iterator<Item = (MatchStrength, &'a str)> {
        let chain = [
            (MatchStrength::Label, self.label),
            (MatchStrength::App, self.app),
            (MatchStrength::Name, self.name),
            (MatchStrength::Selector, self.selected_label),
            (MatchStrength::Selector, self.selected_app),
        ];
        let counting = match matching {
            Matching::Label => 1,
            Matching::Chain => chain.len(),
        };
        chain.into_iter().take(counting).filter(|(_, name)| !name.is_empty())
    }
}
