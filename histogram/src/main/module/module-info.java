// SPDX-License-Identifier: Apache-2.0
/** HdrHistogram under the name that its own jar has on a module path, so that jlink takes it. */
module HdrHistogram {
  exports org.HdrHistogram;
}
