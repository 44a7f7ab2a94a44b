module example.com/ways

go 1.19

require example.org/radix v1.2.0

replace example.org/radix => ./third_party/radix
