// Where a picture lies on its stage: scale and the offset of its upper left corner, in CSS pixels. Pure.

export interface Size {
    width: number;
    height: number;
}

export interface View {
    scale: number; // of the picture's own pixels
    x: number;
    y: number;
}

export const SCALE_MAX = 16;
const SCALE_MIN = 0.02;
const ENLARGE_MAX = 3; // small pictures fill the stage only so far

export function fitScale(picture: Size, stage: Size): number {
    return Math.min(ENLARGE_MAX, stage.width / picture.width, stage.height / picture.height);
}

/** A side smaller than the stage is centred; a larger one leaves no gap at the stage's edges. */
export function clampView(view: View, picture: Size, stage: Size): View {
    const at = (offset: number, shown: number, room: number) => (shown <= room ? (room - shown) / 2 : Math.min(0, Math.max(room - shown, offset)));
    return { scale: view.scale, x: at(view.x, picture.width * view.scale, stage.width), y: at(view.y, picture.height * view.scale, stage.height) };
}

export function fitView(picture: Size, stage: Size): View {
    return clampView({ scale: fitScale(picture, stage), x: 0, y: 0 }, picture, stage);
}

/** Another scale, with the point of the stage `at` staying where it is. */
export function zoomView(view: View, scale: number, at: { x: number; y: number }, picture: Size, stage: Size): View {
    const least = Math.max(SCALE_MIN, Math.min(1, fitScale(picture, stage)));
    const wanted = Math.min(SCALE_MAX, Math.max(least, scale));
    const factor = wanted / view.scale;
    return clampView({ scale: wanted, x: at.x - (at.x - view.x) * factor, y: at.y - (at.y - view.y) * factor }, picture, stage);
}

/** How high the stage is for a picture: as high as it needs, within what the window has. */
export function stageHeight(picture: Size | null, width: number, window_height: number): number {
    const most = Math.max(260, Math.round(window_height * 0.68));
    if (!picture || width === 0) return Math.min(360, most);
    const scale = Math.min(ENLARGE_MAX, width / picture.width);
    return Math.min(most, Math.max(200, Math.round(picture.height * scale)));
}
