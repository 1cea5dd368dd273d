
Blogits_int8JoAb´ò's:b®î