"""Names shown in tables for the row ids of ``resources/published.yaml``."""

OURS = {
    "awd_nofinetune": "AWD-LSTM, without finetuning",
    "awd": "AWD-LSTM",
    "sharp_nofinetune": "Sharpened sigmoid, without finetuning",
    "sharp": "Sharpened sigmoid",
    "g2_nofinetune": "G²-LSTM, without finetuning",
    "g2": "G²-LSTM",
    "awd_cache": "AWD-LSTM + cache",
    "sharp_cache": "Sharpened sigmoid + cache",
    "g2_cache": "G²-LSTM + cache",
    "baseline": "Baseline",
}

LITERATURE = {
    "unregularized_lstm": "Unregularised LSTM (Zaremba et al., 2014)",
    "nr_dropout": "NR-dropout (Zaremba et al., 2014)",
    "zoneout": "Zoneout (Krueger et al., 2016)",
    "variational_lstm": "Variational LSTM (Gal & Ghahramani, 2016)",
    "charcnn": "CharCNN (Kim et al., 2016)",
    "pointer_sentinel": "Pointer Sentinel-LSTM (Merity et al., 2016)",
    "lstm_cont_cache": "LSTM + continuous cache pointer (Grave et al., 2016)",
    "variational_lstm_augloss": "Variational LSTM + augmented loss (Inan et al., 2016)",
    "variational_rhn": "Variational RHN (Zilly et al., 2016)",
    "nas_cell": "NAS cell (Zoph & Le, 2016)",
    "skip4_lstm": "4-layer skip connection LSTM (Melis et al., 2017)",
}
