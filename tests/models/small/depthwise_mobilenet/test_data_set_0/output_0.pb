
BprobabilitiesJ(Uêİ<*>Ë=ƒ=P ‹=Äx=ÅeN=Z!>P:`==É=Ì²–>