// Boost.JSON itself. The parser needs a few of its functions, of which the system's library brings
// far more along than what is compiled here, for size.
#include <boost/json/src.hpp>
