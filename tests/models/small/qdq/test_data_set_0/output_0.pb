
Blogits_int8J
8e6_¾רצ