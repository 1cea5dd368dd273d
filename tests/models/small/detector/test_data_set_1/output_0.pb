BboxesJ°ˆfŠATWõA|¾ÔAWUB=›¸@t°SAl$;A;)A40mB
Œ\AÇ«„BB9B¾6AUûÍA¼jBêwiBö.B§B*ê{B'Æ,B´‡…A^3Áš@´AÏZ½AˆfŠATWõA|¾ÔAWUBsBÅÕ¨A$†BÇ&ÌA‘ÄBÄ®Ù@££)B°B
ÈA¾‚8B+aBJHYBŒ«KBiçEB¼5[BéWB