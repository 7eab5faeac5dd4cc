/** Which IO virtual addresses are taken. Not exported: the DMA spaces use it. */
@org.jspecify.annotations.NullMarked
package io.jvfio.iova;
