// Keys and signatures of `ssh-keygen -Y sign -n test` over "hello", in
// base64; kSigned is what it signs.
#pragma once

#include <string_view>

namespace alknet::ssh {

constexpr std::string_view kEd25519Key =
    "AAAAC3NzaC1lZDI1NTE5AAAAIINtdXpeGQ0E1cY36gAuXQ0thzI9kAfaUD6IMDHkSRVO";
constexpr std::string_view kEd25519Signature =
    "AAAAC3NzaC1lZDI1NTE5AAAAQGGLFj0oJKAOYSmmcScBltpZUK2am+WT0i8dNAf9+N3/qNFN/zKH9Ku1pROexDLh"
    "FU7BZDU7dtexpxaZdLR/IgM=";
constexpr std::string_view kEcdsaKey =
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLBow5XhoaJyj1UTjj6ZoapDM52SB6XAQ3LG"
    "lOtrRNAl5ORLQE+tHxrR894IzdkknK2IU6I/huw/vld6jV+/c/Y=";
constexpr std::string_view kEcdsaSignature =
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAABIAAAAIE/nNk9MOojtFy7TeQayjIB4InuO71f2dkZAwQkQGRVBAAAA"
    "IHzDr3TLP+tLtkrGv371HyQ68FE5rChYjGGngnGJvt9+";
constexpr std::string_view kRsaKey =
    "AAAAB3NzaC1yc2EAAAADAQABAAABgQD79ROk9mY1P5XOpllTTBB5x7SYEzfRNMlnbDC8vP5I80U0wa6kVigCU6YX"
    "llbuHqho7Dduo+JHHDmp+H/i5nFUj5d5rNup9Joi7Elf3LmkwiKKb7YE6L0kmKppMgDuXTgLSwlErx7XIclIXJg8"
    "KNyFKWi3wPiLxkPK0GzokRRqUiG2Dvabyt9nFhr7ZEJL7o8lHv3bzpe4VxvNaghppkfpt/6aU683J8sZAmf+9YJY"
    "4W3watm9v41MxmVKjXslJikGXWLkF5+K2sM1f07VV6AIuK17F4g3H/sQAoaa2jCaKZksxFAkKdBMsXrFiWrjjJi4"
    "L97o+BVN9YpUKMBwVtLav2FoUqNdwp1nKSOjtDsdd6vFfkBTY39wQrgPX9zUYOnzlrDcYDa2KPTbWM1/POJ0yFX1"
    "wQ2yO1RV9/9gdB4yI0z8ElgIeZe3gfQo+mE4y7oyqI9pJhq8DooEBA0MFk3zLaDaWmAdM5ih8JLvA2ggcT3skyOI"
    "wivdFPecx9j9UPc=";
constexpr std::string_view kRsaSignature =
    "AAAADHJzYS1zaGEyLTUxMgAAAYC+GybUva/oCVGmMKgBSQbueu3b1qovaZr2kBrj9v6tNM1I8hcZ5biU7Re1ssWu"
    "Sku5LPwMmuX99PcEf/0GpxUDBR84ZeNlLss8XsPVTZxPHBebf8Q4KpqA7HIBCSSo42LoNBK06Q9p/+BniWsh/Jnn"
    "Kp5t0JB3g6ZSG8/IVywTk3EfvQ4rlf16mZzplLws2uAWHJ7q/zWsHfLZtbI4seIaoYG7zFhY2ZUSMbXqVudTszav"
    "7NND2xjtxvP2kub4PNgwotxFDCpIycf993t2P5FZ8ZiFPAbG4Ur51ZSsCoQL0MQminNoZfmu27DHKgQP3fEj24E3"
    "IS1Lxz+7wc38aS3iKx6wru/vitT3uvpmk1M6z5tw/W+LFSE9qEQWHirFD5M+XBvDX1HBnkFrfk+95qJsEs9odm54"
    "Dq8arPWMnypf5KIkhdownYzGHvhYiboRbMiw1Mz+QeptJNDA3H7zNHGmr/e4WF9+CTUZPkVQqK3BHH3j87xhmVC7"
    "eWdeNXYieEs=";
constexpr std::string_view kSigned =
    "U1NIU0lHAAAABHRlc3QAAAAAAAAABnNoYTUxMgAAAECbcdIkvWLzeF2W1GrT6j1zMZv7wokMqtri3/clGWc8pyMj"
    "w9mbpcEdfHrMbhS4xdoMRmNHXC5cOt70b3O83sBD";

}  // namespace alknet::ssh
