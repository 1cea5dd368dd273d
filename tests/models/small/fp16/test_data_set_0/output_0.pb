

BlogitsJŸÀó¿ÿ6f0?w½¨<€?qC²@