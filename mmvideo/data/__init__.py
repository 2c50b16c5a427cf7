"""From stored clips to samples and batches: windows, augmentation, word pieces, features, loading."""
