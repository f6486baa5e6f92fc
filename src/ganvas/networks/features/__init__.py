"""Features of networks that were trained elsewhere, such as VGG: `extractor` has the FeatureExtractor, `catalog` the names."""
