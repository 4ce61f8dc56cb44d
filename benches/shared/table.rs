//! The table: a row for each thing measured at each size, as text and as JSON.
//!
//! Owns how rounds become one number: the median of the rounds' ratios.

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    pub(crate) unit: &'static str,
    /// A round each: ours, and the baseline.
    pub(crate) rounds: Vec<(f64, f64)>,
    /// Whether more is better.
    pub(crate) is_rate: bool,
}

impl Row {
    fn of(&self, value: impl Fn(&(f64, f64)) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    fn ours(&self) -> Vec<f64> {
        self.of(|round| round.0)
    }

    fn baseline(&self) -> f64 {
        median(&self.of(|round| round.1))
    }

    fn ratio(&self) -> f64 {
        let is_rate = self.is_rate;
        median(&self.of(|(ours, baseline)| if is_rate { ours / baseline } else { baseline / ours }))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let ours = self.ours();
        serde_json::json!({
            "name": self.name, "size": self.size, "unit": self.unit,
            "median": median(&ours), "min": ours.first(), "max": ours.last(),
            "baseline": self.baseline(), "ratio": self.ratio(),
        })
    }

    pub(crate) fn print(&self) {
        let ours = self.ours();
        let (min, max) =
            (ours.first().copied().unwrap_or(0.0), ours.last().copied().unwrap_or(0.0));
        println!(
            "{:<32} {:>7} {:>9} {:>12.3} {:>12.3} {:>12.3} {:>12.3} {:>9.2}",
            self.name,
            self.size,
            self.unit,
            median(&ours),
            min,
            max,
            self.baseline(),
            self.ratio()
        );
    }
}

pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}
