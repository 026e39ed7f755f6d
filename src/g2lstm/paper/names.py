"""Names shown in tables for the row ids of ``resources/published.yaml``."""

DATA = ("imdb", "agnews", "char", "word")  # how row ids about structured sparsity begin
LEVELS = {"original": "", "w": "W", "wn": "W+N", "wgn": "W+G+N"}  # and how they end
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
    "iss_a": "ISS, smaller",
    "iss_b": "ISS, better",
    "direct_design": "Direct design",
    **{f"iss_00{n}": f"ISS, λ = 0.00{n}" for n in (4, 5, 6, 7)},
    **{
        f"{start}_{end}": f"{method} {levels}" if levels else "Original"
        for starts, method in ((("small", "large"), "Pruning"), (DATA, "Bayes"))
        for start in starts
        for end, levels in LEVELS.items()
    },
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
    "rnnsearch_lv": "RNNSearch-LV (Jean et al., 2015)",
    "mrt": "MRT (Shen et al., 2015)",
    "global_att": "Global-att (Luong et al., 2015)",
    "gnmt": "GNMT (Wu et al., 2016)",
    "bso": "BSO (Wiseman & Rush, 2016)",
    "nmpt": "NMPT (Huang et al., 2017)",
    "nmpt_lm": "NMPT + LM (Huang et al., 2017)",
    "actor_critic": "Actor-critic (Bahdanau et al., 2016)",
}


def row_name(row_id):
    """Return the name of a row of ours; what stands before the last colon is told by its group."""
    return OURS[row_id.rpartition(":")[2]]
