/* How a public symbol is marked. Nothing else belongs here. */
#ifndef METERING_EXPORT_H
#define METERING_EXPORT_H

#if defined(METERING_STATIC)
#define MET_API
#elif defined(__GNUC__) || defined(__clang__)
#define MET_API __attribute__((visibility("default")))
#else
#define MET_API
#endif

#if defined(__GNUC__) || defined(__clang__)
#define MET_NODISCARD __attribute__((warn_unused_result))
#else
#define MET_NODISCARD
#endif

#ifdef __cplusplus
#define MET_BEGIN_DECLS extern "C" {
#define MET_END_DECLS }
#else
#define MET_BEGIN_DECLS
#define MET_END_DECLS
#endif

#endif
